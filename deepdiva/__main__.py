"""`python -m deepdiva` is `deepdiva`."""

from deepdiva.cli import main

if __name__ == "__main__":
    main(prog_name="deepdiva")
