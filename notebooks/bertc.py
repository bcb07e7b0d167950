"""bertc.py - what the notebooks share: calling ./bert, reading what it writes, and one style for all pictures.

Nothing here computes anything of BERT: every number comes out of ./bert.
"""
import base64
import contextlib
import io
import json
import os
import subprocess
import tempfile

import matplotlib
import matplotlib.pyplot
import numpy
from IPython.display import display
from PIL import Image, ImageColor
from safetensors.numpy import load_file, save_file

if not os.path.exists("bert.c"):        # a notebook starts in its own folder; everything here runs in the root
    os.chdir("..")

# Black and white first: line styles, markers and hatches tell things apart, colour only helps. Two colours, which
# people with colour blindness tell apart as well: where two things are compared, the first is blue, the second orange.
BLUE, ORANGE = "#0072b2", "#d55e00"
matplotlib.rcParams.update({
    "figure.dpi": 100, "figure.constrained_layout.use": True, "image.cmap": "gray_r",
    "axes.grid": True, "grid.alpha": 0.3,
    "axes.prop_cycle": matplotlib.cycler(color=["#000000", BLUE, ORANGE, "#999999"])
    + matplotlib.cycler(linestyle=["-", "--", "-.", ":"]) + matplotlib.cycler(marker=["o", "s", "^", "x"])})


def bert(*arguments, lines=None, program="./bert"):
    """What `./bert ARGUMENTS` prints, as bytes; lines, if given, are its standard input. If it fails, what it says."""
    stdin = None if lines is None else "".join(line + "\n" for line in lines).encode()
    done = subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return done.stdout


def show(*arguments, **options):
    """Prints a command and what it answers."""
    print("$ ./bert", *(f'"{a}"' if " " in str(a) else a for a in arguments))
    print(bert(*arguments, **options).decode(), end="")


def vectors(texts, *options, **more):
    """(inputs, dim): one vector for each text; or (tokens, dim) for one text with --pooling none."""
    if isinstance(texts, str):
        texts = [texts]
    return numpy.load(io.BytesIO(bert("embed", "--format", "npy", *options, lines=texts, **more)))


def hidden_states(text, *options, **more):
    """(L+1, tokens, H): hidden state 0 is the embeddings' output, L the last block's."""
    tensors = trace(text, *options, **more)
    blocks = sum(name.endswith(".output.LayerNorm") and ".attention." not in name for name in tensors)
    return numpy.stack([tensors["embeddings.LayerNorm"]]
                       + [tensors[f"encoder.layer.{i}.output.LayerNorm"] for i in range(blocks)])


def trace(text, *options, **more):
    """Every intermediate of one text by name: what `./bert trace -o` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.safetensors")
        bert("trace", "-o", path, *options, text, **more)
        return load_file(path)


@contextlib.contextmanager
def inputs(input_ids, attention_mask=None, token_type_ids=None):
    """The options that give ids instead of text, while a `with` lasts: --inputs FILE. (tokens) or (texts, tokens)."""
    given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "inputs.safetensors")
        save_file({name: numpy.array(array, numpy.int64) for name, array in given.items() if array is not None}, path)
        yield ["--inputs", path]


def hidden_states_of_ids(input_ids, attention_mask=None, token_type_ids=None, *options, last=12, **more):
    """(last+1, tokens, H) as hidden_states, for ids: the way to mask tokens in the middle, and to pad on the left."""
    with inputs(input_ids, attention_mask, token_type_ids) as given:
        wanted = ["--pooling", "none", "--layers", f"0..{last}", "--format", "npy"]
        side_by_side = numpy.load(io.BytesIO(bert("embed", *wanted, *given, *options, **more)))
    return side_by_side.reshape(len(side_by_side), last + 1, -1).transpose(1, 0, 2)


def tokens(text, *options):
    """The pieces of one text, [CLS] and [SEP] included."""
    return json.loads(bert("tokenize", "--format", "json", *options, text))["pieces"]


def cosine(a, b):
    """Cosines of the rows of a with the rows of b, in float64."""
    a, b = (numpy.atleast_2d(x).astype(numpy.float64) for x in (a, b))
    return (a / numpy.linalg.norm(a, axis=1, keepdims=True)) @ (b / numpy.linalg.norm(b, axis=1, keepdims=True)).T


def palette():
    """An image whose palette has the colours of our pictures: greys, and the two colours in shades towards white."""
    greys = [(round(255 * i / 31),) * 3 for i in range(32)]
    shades = [tuple(round(255 + (part - 255) * i / 16) for part in ImageColor.getrgb(colour))
              for colour in (BLUE, ORANGE) for i in range(1, 17)]
    image = Image.new("P", (1, 1))
    image.putpalette([part for colour in greys + shades for part in colour])
    return image


def picture(figure=None):
    """Shows a figure (the latest one) under its cell, as a PNG of 64 colours: a quarter of matplotlib's bytes."""
    figure = figure or matplotlib.pyplot.gcf()
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB").quantize(palette=palette(), dither=Image.Dither.NONE)
    image.save(small, "PNG", optimize=True)
    display({"image/png": base64.b64encode(small.getvalue()).decode(), "text/plain": "(a picture)"}, raw=True)
    matplotlib.pyplot.close(figure)
