"""Explorers: what a figure shows, to be played with in a notebook and in the built page.

Each is an anywidget that holds all it can show, so that a page needs no kernel: the book's own
``widgets.js`` renders the state that an executed notebook keeps.  Nothing of the library imports this
package; only notebooks do.
"""

from __future__ import annotations

from qrlib.book.explorers.base import Explorer as Explorer
from qrlib.book.explorers.distorted import Distorted as Distorted
from qrlib.book.explorers.learning import Learning as Learning
from qrlib.book.explorers.levels import Levels as Levels
from qrlib.book.explorers.printed import Printed as Printed
from qrlib.book.explorers.recovered import Recovered as Recovered
