"""Tables of text, as they are read."""

from frames import table2_results as results

from qrlib import rendering, tables


def test_rendered_beside_each_other():
    table = tables.table2(results(), comparable=True)
    text = rendering.render(table, label="ours (224 px)").markdown
    assert "| distortion | method | paper (Caltech101) | ours (224 px) | ours - paper |" in text
    assert "| Gaussian noise | QRNet | 0.832 | 0.820 ± 0.028 (2) | -0.012 |" in text
    assert "| Gaussian blur | no restoration | 0.259 | 0.300 (1) | +0.041 |" in text
    assert "400 test images" in text
    assert "not comparable" not in text


def test_rendered_when_not_comparable():
    table = tables.table2(results(dataset="photographs"))
    shown = rendering.render(table, label="quick, 64 px", paper_label="paper (Caltech101, VGG)")
    assert "| distortion | method | paper (Caltech101, VGG) | quick, 64 px |\n" in shown.markdown
    assert "| average | QRNet | 0.768 | 0.765 ± 0.021 (2) |\n" in shown.markdown
    assert "not comparable" in shown.markdown
    assert "ours - paper" not in shown.markdown + shown.html
    assert shown.html.count("<tr>") == 13
    assert '<th scope="col">quick, 64 px</th>' in shown.html
    assert shown._repr_html_() == shown.html


def test_text_is_escaped():
    shown = tables.grid(["a|b", "<b>"], [["1 | 2", "x & y"]], "a < b")
    assert shown.markdown.splitlines()[0] == r"| a\|b | <b> |"
    assert r"| 1 \| 2 | x & y |" in shown.markdown
    assert "&lt;b&gt;" in shown.html
    assert "x &amp; y" in shown.html
    assert "<caption>a &lt; b</caption>" in shown.html
