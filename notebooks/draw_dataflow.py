"""Draws notebooks/dataflow.svg, the picture in notebooks/TOUR.md: the data's way through the files of bert.c.

    python3 notebooks/draw_dataflow.py             writes it
    python3 notebooks/draw_dataflow.py --check     fails if it is not what this script writes

Standard library only. White background and dark strokes, so that it can be read on a dark page and in black and white.
"""
import pathlib
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 920, 430
out = []


def text(x, y, words, size=13, weight="normal", anchor="middle", fill="#222", family="Helvetica, Arial, DejaVu Sans, sans-serif"):
    out.append(f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}" '
               f'font-family="{family}">{escape(words)}</text>')


def mono(x, y, words, size=12, anchor="middle", fill="#222"):
    text(x, y, words, size, anchor=anchor, fill=fill, family="Menlo, Consolas, DejaVu Sans Mono, monospace")


def box(x, y, w, h, fill="#fff", dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    out.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="#333" stroke-width="1.4"{dashed}/>')


def arrow(x1, y1, x2, y2, dash=""):
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    out.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#333" stroke-width="1.4"{dashed} marker-end="url(#a)"/>')


def stage(x, w, file, title, steps, fill):
    """One box of the row: the file's name, what it does, its steps."""
    box(x, 150, w, 96, fill)
    mono(x + w / 2, 172, file, 14)
    text(x + w / 2, 194, title, 13, "bold")
    for i, line in enumerate(steps):
        text(x + w / 2, 214 + 16 * i, line, 11.5)


out.append(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
           'aria-label="text goes through tokenizer.c, then bert.c: embedding, blocks, heads; tensor.c computes">')
out.append('<defs><marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
           '<path d="M0,0 L10,5 L0,10 z" fill="#333"/></marker></defs>')
out.append(f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#fff"/>')

# What is read: above the stage that reads it.
box(120, 20, 150, 58, "#f3f3f3")
mono(195, 44, "vocab.txt")
text(195, 64, "weights/vocabulary.c", 11.5)
arrow(195, 78, 195, 146)
box(330, 20, 440, 58, "#f3f3f3")
mono(550, 44, "config.json, *.safetensors")
text(550, 64, "weights/safetensors.c: mapped; a weight is a pointer into the file", 11.5)
for x in (385, 545, 715):
    arrow(x, 78, x, 146)

# The row: text to answer.
mono(50, 190, "the bank")
mono(50, 206, "robber")
arrow(84, 198, 118, 198)
stage(120, 150, "tokenizer.c", "tokenizer", ("1 clean, 2 split", "3 WordPiece, 4 ids"), "#e8f0fa")
arrow(270, 198, 328, 198)
stage(330, 110, "bert.c", "embedding", ("5 sum of three", "6 LayerNorm"), "#e9f6ea")
arrow(440, 198, 464, 198)
stage(466, 160, "bert.c", "encoder, L times", ("7 - 11 attention", "12, 13 feed-forward"), "#e9f6ea")
arrow(626, 198, 658, 198)
stage(660, 112, "bert.c", "task head", ("14 NSP, 15 MLM", "16 vectors"), "#e9f6ea")
arrow(772, 198, 800, 198)
text(860, 176, "next or not", 12)
text(860, 196, "words for [MASK]", 12)
text(860, 216, "vectors, cosines", 12)
text(299, 168, "ids, types,", 10)
text(299, 184, "mask (T)", 10)
text(299, 216, "101 1996", 10.5, fill="#666")
text(299, 230, "2924 ...", 10.5, fill="#666")
text(642, 184, "(T,H)", 11)

# What computes, and who looks.
box(330, 262, 442, 34, "#fdf3dd")
mono(350, 284, "tensor.c", 14, "start")
text(762, 284, "every sum, product and curve; the order is fixed", 12, anchor="end")
for x in (385, 545, 715):
    out.append(f'<line x1="{x}" y1="246" x2="{x}" y2="262" stroke="#333" stroke-width="1.4"/>')

box(120, 330, 788, 76, "#fff", "5 4")
mono(195, 352, "tokenize")
mono(195, 370, "vocab")
mono(490, 352, "trace, explain, attention")
mono(490, 370, "compare, verify, info")
mono(704, 352, "fill-mask")
mono(704, 370, "next-sentence")
text(514, 396, "the command line (cli/, verify/): one verb per question, each looks into one part", 11.5)
arrow(195, 330, 195, 250, "5 4")
arrow(490, 330, 490, 300, "5 4")
arrow(704, 330, 704, 300, "5 4")
mono(840, 352, "embed", 12)
mono(840, 370, "similarity, rank", 12)
out.append("</svg>")

target = pathlib.Path(__file__).with_name("dataflow.svg")
drawn = "\n".join(out) + "\n"
if "--check" in sys.argv:
    sys.exit(0 if target.read_text() == drawn else "dataflow.svg is not what draw_dataflow.py writes")
target.write_text(drawn)
