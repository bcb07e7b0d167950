// runtimes.mjs - another program's BERT in node: rows of ids in, the last hidden state out, as ../runtimes_python.py has it.
//
//     node runtimes.mjs onnxruntime-node MODEL.onnx ROWS OUT      what transformers.js computes with
//     node runtimes.mjs node-llama-cpp MODEL.gguf ROWS OUT        llama.cpp. Its one vector for a text without pooling is the last
//                                                                 token's; the others are written as -infinity. It has no token
//                                                                 types and no padding: of a pair it gives nothing.
import {readFileSync, writeFileSync} from 'fs';
import {createRequire} from 'module';
import path from 'path';

const [name, file, rows, out] = process.argv.slice(2);
const folder = path.join(process.cwd(), 'node_modules');
const require = createRequire(path.join(folder, 'x.js'));
const WIDTH = 768;

async function onnxRuntime() {
    const {InferenceSession, Tensor} = require('onnxruntime-node');
    const session = await InferenceSession.create(file);
    return async (ids, types, mask) => {
        const tensor = row => new Tensor('int64', BigInt64Array.from(row.map(BigInt)), [1, row.length]);
        const result = await session.run({input_ids: tensor(ids), token_type_ids: tensor(types), attention_mask: tensor(mask)});
        return result[session.outputNames[0]].data;
    };
}

async function llamaCpp() {
    const {getLlama} = await import(path.join(folder, name, 'dist', 'index.js'));
    const llama = await getLlama({gpu: false, build: 'never', logLevel: 'disabled'});
    const model = await llama.loadModel({modelPath: file});
    const context = await model.createEmbeddingContext({contextSize: 512, batchSize: 512, threads: 1});
    return async (ids, types) => {
        const all = new Float32Array(ids.length * WIDTH).fill(-Infinity);
        if (types.every(type => type === 0)) all.set((await context.getEmbeddingFor(ids)).vector, (ids.length - 1) * WIDTH);
        return all;
    };
}

const compute = await (name === 'onnxruntime-node' ? onnxRuntime() : llamaCpp());
const lines = readFileSync(rows, 'utf-8').trim().split('\n').map(line => line.split(' ').map(Number));
const parts = [];
for (let k = 0; k < lines.length; k += 3) parts.push(Buffer.from(new Float32Array(await compute(...lines.slice(k, k + 3))).buffer));
writeFileSync(out, Buffer.concat(parts));
console.log(JSON.parse(readFileSync(path.join(folder, name, 'package.json'))).version);
process.exit(0);
