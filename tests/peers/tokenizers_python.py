"""tokenizers_python.py - one WordPiece with a Python interface: lines in, ids out.

    python tokenizers_python.py NAME VOCAB cased|uncased LINES OUT

A line of OUT for each line of LINES: the ids, without the [CLS] and [SEP] that a program puts around them. Prints the version.
"""
import importlib.metadata
import sys


def tokenizers(vocab, lower):
    from tokenizers import BertWordPieceTokenizer
    t = BertWordPieceTokenizer(vocab, lowercase=lower)
    return lambda text: t.encode(text, add_special_tokens=False).ids


def nanotoken(vocab, lower):
    import nanotoken
    from tokenizers import BertWordPieceTokenizer
    t = nanotoken.WordPieceTokenizer.from_json(BertWordPieceTokenizer(vocab, lowercase=lower).to_str())
    return lambda text: t.encode(text, add_special_tokens=False).tolist()


def flash_tokenizer(vocab, lower):
    from flash_tokenizer import BertTokenizerFlash
    t = BertTokenizerFlash(vocab, do_lower_case=lower).tokenizer
    return lambda text: t.encode(text, "longest", 1 << 20)[1:-1]


def blingfire(vocab, lower):
    import os
    import blingfire
    model = "bert_base_tok.bin" if lower else "bert_base_cased_tok.bin"
    handle = blingfire.load_model(os.path.join(os.path.dirname(blingfire.__file__), model))
    return lambda text: blingfire.text_to_ids(handle, text, 1 << 16, 100, True).tolist()


def tensorflow_text(vocab, lower):
    import tensorflow_text
    t = tensorflow_text.BertTokenizer(vocab, lower_case=lower)
    return lambda text: t.tokenize([text]).merge_dims(1, -1).to_list()[0]


def keras_hub(vocab, lower):
    import keras_hub
    t = keras_hub.models.BertTokenizer(vocabulary=vocab, lowercase=lower)
    return lambda text: t(text).tolist()


def transformers(vocab, lower):
    """The class written in Python, which version 5 has no more."""
    from transformers import BertTokenizer
    t = BertTokenizer(vocab, do_lower_case=lower)
    return lambda text: t.encode(text, add_special_tokens=False)


def bert_for_tf2(vocab, lower):
    """Google's tokenization.py of 2018, as this package brings it."""
    from bert.tokenization.bert_tokenization import FullTokenizer
    t = FullTokenizer(vocab, do_lower_case=lower)
    return lambda text: t.convert_tokens_to_ids(t.tokenize(text))


def keras_hub_stripping(vocab, lower):
    """The same class, told what it leaves off by itself."""
    import keras_hub
    t = keras_hub.models.BertTokenizer(vocabulary=vocab, lowercase=lower, strip_accents=lower)
    return lambda text: t(text).tolist()


def openvino_tokenizers(vocab, lower):
    """A text by itself, without the [CLS] and [SEP] that it puts around it."""
    import numpy
    import openvino
    import openvino_tokenizers
    from transformers import BertTokenizer
    t = openvino.compile_model(openvino_tokenizers.convert_tokenizer(BertTokenizer(vocab, do_lower_case=lower)), "CPU")
    return lambda text: t([numpy.array([text])])["input_ids"][0].tolist()[1:-1]


def onnxruntime_extensions(vocab, lower):
    import numpy
    import onnxruntime
    import onnxruntime_extensions
    from transformers import BertTokenizer
    graph, _ = onnxruntime_extensions.gen_processing_models(BertTokenizer(vocab, do_lower_case=lower), pre_kwargs={})
    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
    return lambda text: session.run(None, {"text": numpy.array([text])})[0].ravel().tolist()[1:-1]


def curated_transformers(vocab, lower):
    """It reads directories only; without a tokenizer.json it cuts words itself."""
    import json
    import pathlib
    import shutil
    import tempfile
    from curated_transformers.tokenizers import AutoTokenizer
    from fsspec.implementations.local import LocalFileSystem
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(vocab, folder)
        pathlib.Path(folder, "config.json").write_text('{"model_type": "bert"}')
        pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
        t = AutoTokenizer.from_fsspec(fs=LocalFileSystem(), model_path=folder)
    return lambda text: [t.unk_id if i < 0 else i for i in t([text]).ids[0][1:-1]]


NAMES = {"tokenizers": tokenizers, "nanotoken": nanotoken, "flash-tokenizer": flash_tokenizer, "blingfire": blingfire, "tensorflow-text": tensorflow_text,
         "keras-hub": keras_hub, "keras-hub stripping": keras_hub_stripping,
         "openvino-tokenizers": openvino_tokenizers, "onnxruntime-extensions": onnxruntime_extensions,
         "curated-transformers": curated_transformers, "transformers": transformers, "bert-for-tf2": bert_for_tf2}


def main():
    name, vocab, case, lines, out = sys.argv[1:]
    encode = NAMES[name](vocab, case == "uncased")
    with open(lines, encoding="utf-8", newline="\n") as f, open(out, "w") as g:
        for text in f.read().split("\n")[:-1]:
            g.write(" ".join(map(str, encode(text))) + "\n")
    print(importlib.metadata.version(name.split()[0]))


main()
