// wasi.mjs - runs a WASI program in node, for tests/bits.sh:   node tests/wasi.mjs PROGRAM [ARGUMENT ...]
// It sees /tmp and this directory, and nothing else.
import { readFile } from 'node:fs/promises';
import { WASI } from 'node:wasi';

const [program, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [program, ...rest], env: {}, preopens: { '/tmp': '/tmp', '.': process.cwd() }, returnOnExit: true });
const compiled = await WebAssembly.compile(await readFile(program));
process.exitCode = wasi.start(await WebAssembly.instantiate(compiled, { wasi_snapshot_preview1: wasi.wasiImport }));
