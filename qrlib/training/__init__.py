"""Training: the loop, classifiers on clean images, and restorers by Algorithm 1 (Section III-D).

Import from the submodules: a result depends on the code of those that it names, and on no others.
"""
