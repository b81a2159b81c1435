"""Speed and memory of this project beside public libraries: ``python -m benchmarks``.

A *contest* is one piece of work; its *contestants* do it in different ways.  Each contestant is a
function in `benchmarks.contestants` that prepares the work and returns a callable that does it once.
Contestants run in processes of their own, in turns (A B C A B C ...), so that what else the machine
does weighs on all alike, and each has a peak of memory that is its own.
"""
