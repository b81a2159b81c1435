"""Explorers: what a figure shows, to be played with in a notebook and in the built page.

Each is an anywidget that holds all it can show, so that a page needs no kernel: the book's own
``widgets.js`` renders the state that an executed notebook keeps.  Nothing of the library imports this
package; only notebooks do.
"""
