"""What runs in the pod: standard library only, Python 3.9 and later; embedded in scripts as source.

`embedding` joins the modules into one text, so that they share one namespace there.
"""
