/* wasi.js - what the C program asks of an operating system, answered by a page: a few directories of files that can be
 * read, and nothing else. (The names are those of WASI, preview 1.)
 *
 * A file is {size, read(offset, length) -> Uint8Array}: bytes in memory, or a file that was dropped on the page, of which
 * only the wanted part is read. Directories are the names' beginnings. */

const SUCCESS = 0, BADF = 8, NOENT = 44, NOTDIR = 54, ROFS = 69;
const DIRECTORY = 3, REGULAR = 4, CHARACTER = 2;
const ROOT = 3;                                     /* the first descriptor behind the standard ones: "/" */

/* Bytes in memory as a file. */
export function memoryFile(bytes) {
    return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/* A File of the browser's, in a worker: read when it is asked for. */
export function droppedFile(file) {
    const reader = new FileReaderSync();
    return { size: file.size, read: (offset, length) => new Uint8Array(reader.readAsArrayBuffer(file.slice(offset, offset + length))) };
}

export class Files {
    constructor() {
        this.files = new Map();                     /* "/model/config.json" -> file */
        this.open = new Map([[ROOT, { path: '/', directory: true }]]);
        this.memory = null;
        this.errors = '';                           /* what the program printed */
    }

    view() { return new DataView(this.memory.buffer); }
    bytes(at, length) { return new Uint8Array(this.memory.buffer, at, length); }
    text(at, length) { return new TextDecoder().decode(this.bytes(at, length)); }

    isDirectory(path) {
        const beginning = path === '/' ? '/' : path + '/';
        return [...this.files.keys()].some(name => name.startsWith(beginning));
    }

    /* The names directly below a directory. */
    list(path) {
        const beginning = path === '/' ? '/' : path + '/', names = new Map();
        for (const name of this.files.keys()) {
            if (!name.startsWith(beginning)) continue;
            const [first, ...more] = name.slice(beginning.length).split('/');
            names.set(first, more.length ? DIRECTORY : REGULAR);
        }
        return [...names];
    }

    resolve(directory, at, length) {
        const base = this.open.get(directory);
        if (!base) return null;
        const parts = [];
        for (const part of (base.path + '/' + this.text(at, length)).split('/')) {
            if (part === '..') parts.pop();
            else if (part && part !== '.') parts.push(part);
        }
        return '/' + parts.join('/');
    }

    /* A filestat: 64 bytes, of which the kind and the size are known. */
    putStat(at, kind, size) {
        this.bytes(at, 64).fill(0);
        this.view().setUint8(at + 16, kind);
        this.view().setBigUint64(at + 32, BigInt(size), true);
        return SUCCESS;
    }

    imports() {
        const f = this;
        return {
            fd_prestat_get(fd, out) {
                if (fd !== ROOT) return BADF;
                f.view().setUint32(out, 0, true);
                f.view().setUint32(out + 4, 1, true);
                return SUCCESS;
            },
            fd_prestat_dir_name(fd, out) {
                if (fd !== ROOT) return BADF;
                f.bytes(out, 1)[0] = 47;
                return SUCCESS;
            },
            fd_fdstat_get(fd, out) {
                const entry = f.open.get(fd);
                if (!entry && fd > 2) return BADF;
                f.bytes(out, 24).fill(0);
                f.view().setUint8(out, !entry ? CHARACTER : entry.directory ? DIRECTORY : REGULAR);
                f.view().setBigUint64(out + 8, 0x1fffffffn, true);
                f.view().setBigUint64(out + 16, 0x1fffffffn, true);
                return SUCCESS;
            },
            fd_filestat_get(fd, out) {
                const entry = f.open.get(fd);
                if (!entry) return fd > 2 ? BADF : f.putStat(out, CHARACTER, 0);
                return f.putStat(out, entry.directory ? DIRECTORY : REGULAR, entry.directory ? 0 : entry.file.size);
            },
            path_filestat_get(fd, flags, at, length, out) {
                const path = f.resolve(fd, at, length), file = f.files.get(path);
                if (file) return f.putStat(out, REGULAR, file.size);
                return f.isDirectory(path) ? f.putStat(out, DIRECTORY, 0) : NOENT;
            },
            path_open(fd, dirflags, at, length, flags, rights, inheriting, fdflags, out) {
                const path = f.resolve(fd, at, length), file = f.files.get(path);
                const directory = !file && f.isDirectory(path);
                if (flags & 1 && !file) return ROFS;            /* O_CREAT */
                if (!file && !directory) return NOENT;
                if (file && flags & 2) return NOTDIR;           /* O_DIRECTORY */
                let next = ROOT + 1;
                while (f.open.has(next)) next++;
                f.open.set(next, { path, directory, file, at: 0 });
                f.view().setUint32(out, next, true);
                return SUCCESS;
            },
            fd_read(fd, vectors, count, out) {
                const entry = f.open.get(fd);
                let total = 0;
                if (!entry || entry.directory) return BADF;
                for (let i = 0; i < count; i++) {
                    const to = f.view().getUint32(vectors + 8 * i, true), wanted = f.view().getUint32(vectors + 8 * i + 4, true);
                    const part = entry.file.read(entry.at, Math.min(wanted, entry.file.size - entry.at));
                    f.bytes(to, part.length).set(part);
                    entry.at += part.length;
                    total += part.length;
                    if (part.length < wanted) break;
                }
                f.view().setUint32(out, total, true);
                return SUCCESS;
            },
            fd_seek(fd, offset, whence, out) {
                const entry = f.open.get(fd);
                if (!entry || entry.directory) return BADF;
                entry.at = Number(offset) + (whence === 0 ? 0 : whence === 1 ? entry.at : entry.file.size);
                f.view().setBigUint64(out, BigInt(entry.at), true);
                return SUCCESS;
            },
            fd_readdir(fd, at, size, cookie, out) {
                const entry = f.open.get(fd);
                let used = 0, i = Number(cookie);
                if (!entry || !entry.directory) return BADF;
                for (const names = f.list(entry.path); i < names.length && used < size; i++) {
                    const name = new TextEncoder().encode(names[i][0]), record = new Uint8Array(24 + name.length);
                    const v = new DataView(record.buffer);
                    v.setBigUint64(0, BigInt(i + 1), true);
                    v.setUint32(16, name.length, true);
                    v.setUint8(20, names[i][1]);
                    record.set(name, 24);
                    const part = record.subarray(0, size - used);
                    f.bytes(at + used, part.length).set(part);
                    used += part.length;
                }
                f.view().setUint32(out, used, true);
                return SUCCESS;
            },
            fd_write(fd, vectors, count, out) {
                let total = 0;
                for (let i = 0; i < count; i++) {
                    const from = f.view().getUint32(vectors + 8 * i, true), length = f.view().getUint32(vectors + 8 * i + 4, true);
                    f.errors += f.text(from, length);
                    total += length;
                }
                f.view().setUint32(out, total, true);
                return SUCCESS;
            },
            fd_close(fd) { return f.open.delete(fd) ? SUCCESS : BADF; },
            proc_exit(code) { throw new Error(`the program ended (${code}) ${f.errors}`); },
        };
    }
}
