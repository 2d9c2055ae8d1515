"""The circuits: one file each, all with the same five parts (`deepdiva.engine.module`)."""
