"""The page: a sound is dropped, candidates are heard as they are found, and a preset is kept.

A local server (`server`) shows one page and holds what the page shows (`studio`): sounds and their
takes, kept in a folder (`library`) as the command line keeps them. Long work is done in child
processes (`child`): searches in `searcher`, single notes in `player`.
"""
