"""Draws notebooks/bank-arrows.svg, the picture in README.md: the three banks of the bank sentence and how alike they are.

    python3 notebooks/draw_arrows.py             writes it
    python3 notebooks/draw_arrows.py --check     fails if it is not what this script writes

Every number comes from ./bert with the weights of bert-base-uncased: `bert similarity --word bank --by-layer`. Standard
library only. The background is white, so that a dark page does not hide the text. Whatever colour says is also said by
a dash, a marker or a word. Letters are large: the picture can be read at 400 pixels.
"""
import json
import pathlib
import subprocess
import sys
from xml.sax.saxutils import escape

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORD, SAME, OTHER = "bank", "#0072b2", "#c04a00"
ROWS = [("After stealing money from the", "vault,"), ("the", "robber was seen fishing"),
        ("on the Mississippi river", ".")]
TEXT = " ".join(f"{left} {WORD} {right}" for left, right in ROWS).replace(" .", ".")

WIDTH, HEIGHT = 680, 648
MIDDLE = 358                                # the column of the three banks
TOP, STEP = 124, 92                         # the first line of the sentence, and from one to the next
LEFT, RIGHT, HIGH, LOW = 78, 612, 404, 586  # the plot
out = []


def measure():
    """(cosines, by_layer): of the three banks with each other; the same for each hidden state."""
    command = ["./bert", "similarity", "--word", WORD, "--by-layer", "--format", "json", TEXT]
    if not (ROOT / "bert").exists():
        sys.exit("draw_arrows.py asks ./bert for its numbers: run make and make weights first")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    answer = json.loads(done.stdout)
    return answer["cosines"], answer["by_layer"]


def text(x, y, words, size=17, weight="normal", anchor="start", fill="#222"):
    out.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" '
               f'fill="{fill}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif">{escape(words)}</text>')


def line(x1, y1, x2, y2, colour="#333", width=1.0, more=""):
    out.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
               f'stroke-width="{width}"{more}/>')


def style(colour):
    """The dash of a line: the same sense is drawn through, the other one broken."""
    return ' stroke-dasharray="7 5"' if colour == OTHER else ""


def head(name, colour):
    """An arrow's head, for both ends of a line."""
    return (f'<marker id="{name}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="5" markerHeight="5" '
            f'orient="auto-start-reverse"><path d="M0,0 L10,5 L0,10 z" fill="{colour}"/></marker>')


def word(row, colour, fill):
    """One line of the sentence, its bank in a box."""
    y = TOP + STEP * row
    left, right = ROWS[row]
    out.append(f'<rect x="{MIDDLE - 34}" y="{y - 22}" width="68" height="32" rx="6" fill="{fill}" stroke="{colour}" '
               f'stroke-width="2"{style(colour)}/>')
    text(MIDDLE, y, WORD, 19, "bold", "middle", colour)
    text(MIDDLE - 42, y, left, 19, anchor="end")
    text(MIDDLE + (42 if right[0].isalpha() else 38), y, right, 19)


def likeness(row, value, colour, name, words):
    """The arrow between a bank and the one below it, and the cosine of their vectors."""
    y = TOP + STEP * row
    line(MIDDLE, y + 16, MIDDLE, y + STEP - 28, colour, 4 if colour == SAME else 3,
         f'{style(colour)} marker-start="url(#{name})" marker-end="url(#{name})"')
    text(MIDDLE + 16, y + 47, f"{value:.2f}", 24, "bold", fill=colour)
    text(MIDDLE + 88, y + 46, words, 17, fill=colour)


def x_of(state, states):
    return LEFT + (RIGHT - LEFT) * state / (states - 1)


def y_of(cosine):
    return LOW - (LOW - HIGH) * (cosine - 0.6) / 0.4


def curve(values, colour):
    """A cosine over the hidden states: discs on a line, or open squares on a broken one."""
    points = [(x_of(i, len(values)), y_of(value)) for i, value in enumerate(values)]
    out.append(f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="none" stroke="{colour}" '
               f'stroke-width="3"{style(colour)}/>')
    for x, y in points:
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>' if colour == SAME else
                   f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" fill="#fff" stroke="{colour}" '
                   'stroke-width="2.5"/>')
    text(points[-1][0] + 12, points[-1][1] + 6, f"{values[-1]:.2f}", 17, "bold", fill=colour)


def plot(same, other, summed):
    """How the two cosines part from block to block; summed tells what the last four hidden states give together."""
    text(24, HIGH - 50, "Through the twelve blocks the two senses part:", 19, "bold")
    first = x_of(len(same) - 4, len(same))
    out.append(f'<rect x="{first - 14:.1f}" y="{HIGH - 12}" width="{RIGHT - first + 28:.1f}" '
               f'height="{LOW - HIGH + 12}" fill="#eee"/>')
    for tenth in range(6, 11):
        line(LEFT - 14, y_of(tenth / 10), RIGHT + 14, y_of(tenth / 10), "#ccc")
        text(LEFT - 22, y_of(tenth / 10) + 6, f"{tenth / 10:.1f}", 16, anchor="end")
    text(24, HIGH - 18, "cosine", 16)
    for i in range(len(same)):
        text(x_of(i, len(same)), LOW + 23, str(i), 16, anchor="middle")
    curve(other, OTHER)
    curve(same, SAME)
    text(x_of(6.2, len(same)), y_of(0.825), "vault and robber", 17, "bold", "middle", SAME)
    text(x_of(6.2, len(same)), y_of(0.705), "robber and river", 17, "bold", "middle", OTHER)
    text((first + RIGHT) / 2, y_of(0.855), "sum of the four:", 16, anchor="middle")
    text((first + RIGHT) / 2, y_of(0.805), summed, 16, anchor="middle")
    text((LEFT + RIGHT) / 2, LOW + 47, "blocks passed (0: words and places only, no context yet)", 16, anchor="middle")


def draw():
    cosines, by_layer = measure()
    vault, robber, river = range(3)
    label = (f"the bank sentence: cosine {cosines[robber][vault]:.2f} for bank vault and bank robber, "
             f"{cosines[robber][river]:.2f} for bank robber and river bank; block by block the two part")
    out.append(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
               f'height="{HEIGHT}" role="img" aria-label="{label}">')
    out.append(f'<defs>{head("same", SAME)}{head("other", OTHER)}</defs>')
    out.append(f'<rect x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="12" fill="#fff" stroke="#bbb"/>')
    text(24, 40, "One word, three places: three vectors of 768 numbers.", 19, "bold")
    text(24, 67, "How alike are they? Their cosine: 1 is the same direction.", 17)
    word(vault, SAME, "#e3f0f9")
    word(robber, SAME, "#e3f0f9")
    word(river, OTHER, "#fdece0")
    likeness(0, cosines[robber][vault], SAME, "same", "the same sense: money")
    likeness(1, cosines[robber][river], OTHER, "other", "another sense: riverside")
    plot([table[robber][vault] for table in by_layer], [table[robber][river] for table in by_layer],
         f"{cosines[robber][vault]:.2f} and {cosines[robber][river]:.2f}")
    out.append("</svg>")
    return "\n".join(out) + "\n"


target = pathlib.Path(__file__).with_name("bank-arrows.svg")
drawn = draw()
if "--check" in sys.argv:
    sys.exit(0 if target.read_text() == drawn else "bank-arrows.svg is not what draw_arrows.py writes")
target.write_text(drawn)
