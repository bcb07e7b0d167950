/* worker.js - the page's worker: unpacks the program and the model, and answers calls. The page stays awake meanwhile.
 *
 *     {id, call, values} -> {id, result} or {id, error: {message, status}};   {progress} while it loads */
import { memoryFile, droppedFile } from './wasi.js';
import { Core } from './core.js';

let builds = null, own = null, core = null;
const MOST_FOR_LEARNING = 12e6;                     /* parameters: 16 bytes each are needed */

/* base64 of gzip -> bytes. */
async function unpack(text) {
    const packed = await fetch('data:application/gzip;base64,' + text.trim());
    const stream = packed.body.pipeThrough(new DecompressionStream('gzip'));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function openModel(files, name) {
    const size = Object.values(files).reduce((n, file) => n + file.size, 0);
    core = await Core.start(builds, size);
    const result = core.open(files);
    return { ...result, model: name, learns: result.config.hasMlm && result.config.parameters < MOST_FOR_LEARNING };
}

const calls = {
    /* The page's own program and model, as it holds them. */
    async load({ exact, relaxed, model, name }) {
        postMessage({ progress: 'loadingData' });
        builds = { exact: await unpack(exact), relaxed: relaxed ? await unpack(relaxed) : null };
        own = { name, files: {} };
        for (const [file, text] of Object.entries(model)) own.files[file] = memoryFile(await unpack(text));
        postMessage({ progress: 'loadingModel' });
        return openModel(own.files, own.name);
    },
    async openOwn() { return openModel(own.files, own.name); },
    /* Files of a directory: [{path, file}]. The names begin with the directory's. */
    async openDropped(list, name) {
        const before = core;
        try {
            return await openModel(Object.fromEntries(list.map(({ path, file }) => [path, droppedFile(file)])), name);
        } catch (error) {
            core = before;
            throw error;
        }
    },
    json(said, model) {
        const tensors = {};
        for (const { name } of core.tensors(0)) {
            const { shape, data } = core.tensor(0, name);
            tensors[name] = { shape, data: [...data] };
        }
        const { ids, types, mask, pieces } = core.tokens;
        return JSON.stringify({ model, text: said, pieces, input_ids: ids, token_type_ids: types, attention_mask: mask, checksum: core.checksum(0), tensors });
    },
};

onmessage = async ({ data: { id, call, values } }) => {
    try {
        const result = calls[call] ? await calls[call](...values) : core[call](...values);
        postMessage({ id, result });
    } catch (error) {
        postMessage({ id, error: { message: String(error && error.message || error), status: error && error.status || 0 } });
    }
};
