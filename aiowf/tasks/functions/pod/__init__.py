"""What runs in the pod: standard library only, Python 3.9 and later; embedded in scripts as source.

`embedding` takes from these modules what a script uses and joins it into one text, where all names
share one namespace: a name is defined in one of the modules only.
"""
