import koffi from 'koffi';

/** The C library of this process. Signatures are declared in the file of the facility that uses them. */
export const libc = koffi.load('libc.so.6');

/** The errno of the last call on this thread; read it at once. */
export const errno = (): number => koffi.errno();

/** Second names of the same numbers; errors carry the names that Node gives them. */
const aliases = ['EWOULDBLOCK', 'EDEADLOCK', 'EOPNOTSUPP'];

const names = new Map<number, string>(
  Object.entries(koffi.os.errno)
    .filter(([name]) => !aliases.includes(name))
    .map(([name, code]) => [code as number, name]),
);

/** An error as Node's own fs makes them: `code`, `errno`, `syscall`. */
export function systemCallError(syscall: string, code: number, detail = ''): NodeJS.ErrnoException {
  const name = names.get(code) ?? `errno ${code}`;
  const error: NodeJS.ErrnoException = new Error(`${name}: ${syscall}${detail ? ` ${detail}` : ''}`);
  error.code = name;
  error.errno = code;
  error.syscall = syscall;
  return error;
}
