import { errno, libc, systemCallError } from './libc';

const setCall = libc.func(
  'int lsetxattr(const char *path, const char *name, const uint8_t *value, size_t size, int flags)',
);
const getCall = libc.func('long lgetxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)');
const listCall = libc.func('long llistxattr(const char *path, _Out_ uint8_t *list, size_t size)');
const removeCall = libc.func('int lremovexattr(const char *path, const char *name)');

const ENODATA = 61;
const ENOTSUP = 95;
const ERANGE = 34;

/** Sets an extended attribute of a path, of a symbolic link itself. A Buffer path must end with a zero byte. */
export function setXattr(path: string | Buffer, name: string, value: Buffer): void {
  if (setCall(path, name, value, value.length, 0) !== 0)
    throw systemCallError('lsetxattr', errno(), `${name} on ${path.toString()}`);
}

/** The value, or undefined when the path has no such attribute (or its file system none at all). */
export function getXattr(path: string | Buffer, name: string): Buffer | undefined {
  for (let size = 256; ; size *= 4) {
    const value = Buffer.alloc(size);
    const length = Number(getCall(path, name, value, size));
    if (length >= 0) return value.subarray(0, length);
    const code = errno();
    if (code === ENODATA || code === ENOTSUP) return undefined;
    if (code !== ERANGE || size > 1 << 18) throw systemCallError('lgetxattr', code, `${name} on ${path.toString()}`);
  }
}

/** Names of all extended attributes; empty when the file system has none. */
export function listXattrs(path: string | Buffer): string[] {
  for (let size = 512; ; size *= 4) {
    const list = Buffer.alloc(size);
    const length = Number(listCall(path, list, size));
    if (length >= 0) return list.toString('utf8', 0, length).split('\0').filter(Boolean);
    const code = errno();
    if (code === ENOTSUP) return [];
    if (code !== ERANGE || size > 1 << 18) throw systemCallError('llistxattr', code, path.toString());
  }
}

/** Removes an extended attribute; absent is no error. */
export function removeXattr(path: string | Buffer, name: string): void {
  if (removeCall(path, name) === 0) return;
  const code = errno();
  if (code !== ENODATA) throw systemCallError('lremovexattr', code, `${name} on ${path.toString()}`);
}
