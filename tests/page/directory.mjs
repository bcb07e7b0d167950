/* directory.mjs - a directory of the disk as wasi.js wants it: name -> file, read when it is asked for. */
import fs from 'node:fs';
import path from 'node:path';

export function directory(root) {
    const files = {};
    const walk = below => {
        for (const entry of fs.readdirSync(path.join(root, below), { withFileTypes: true })) {
            const name = path.posix.join(below, entry.name), full = path.join(root, name);
            if (fs.statSync(full).isDirectory()) walk(name);
            else files[name] = { size: fs.statSync(full).size, read: (offset, length) => readPart(full, offset, length) };
        }
    };
    walk('');
    return files;
}

function readPart(file, offset, length) {
    const fd = fs.openSync(file, 'r'), bytes = Buffer.alloc(length);
    const got = fs.readSync(fd, bytes, 0, length, offset);
    fs.closeSync(fd);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, got);
}
