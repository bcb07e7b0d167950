#!/usr/bin/env python3
"""pipes_spark.py - `bert embed` as a pipe under Apache Spark, in local mode with two workers.

    python3 tests/pipes_spark.py MODEL_DIR LINES

Every partition of the lines goes through a process of its own; the processes share one mapping of the weights. The
vectors must be those of one process, byte for byte and in the order of the lines; and a line that is too long must end
the job and be named.
"""
import os
import pathlib
import subprocess
import sys

os.environ["PYSPARK_PYTHON"] = sys.executable
from pyspark import SparkConf, SparkContext

TESTS = pathlib.Path(__file__).resolve().parent
model, path = sys.argv[1:]
embed = f"sh {TESTS}/embed_part.sh {TESTS.parent}/bert embed -q -m {os.path.abspath(model)}"
settings = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}

lines = pathlib.Path(path).read_text("utf-8").splitlines()
alone = subprocess.run(embed.split(), input="\n".join(lines) + "\n", text=True, capture_output=True, check=True)
expected = alone.stdout.splitlines()
with SparkContext("local[2]", "bert", conf=SparkConf().setAll(settings.items())) as spark:
    spark.setLogLevel("OFF")
    vectors = spark.parallelize(lines, 5).pipe(embed, checkCode=True).collect()
    assert vectors == expected, "Spark's vectors are not those of one process"
    print(f"Spark: {len(vectors)} vectors from 5 partitions, in order, the same bytes as from one process")
    bad = lines[:7] + ["toolong " * 1000] + lines[7:]
    try:
        spark.parallelize(bad, 5).pipe(embed, checkCode=True).collect()
    except Exception as error:
        assert "error code 4" in str(error), error
        print("Spark: a line that is too long ends the job with bert's exit code 4; what bert said is above")
    else:
        sys.exit("Spark: a line that is too long went unnoticed")
