const ERRNO = [
  'No such file or directory',
  'Permission denied',
  'Operation not permitted',
  'Not a directory',
  'Is a directory',
  'Exec format error',
  'File exists',
  'Device or resource busy',
];
const ERRNO_TEXT = new RegExp(`\\b(${ERRNO.join('|')})\\b`, 'g');

/**
 * What an OCI runtime says of a program it could not start, in the words that clients look for: runc's. The docker
 * client makes its exit code (126, 127) of them, whichever runtime it was.
 */
export function familiarWords(message: string): string {
  return message
    .replace(/executable file `([^`]*)`(?: not found in \$PATH)?(?:: No such file or directory)?/, (_, name: string) =>
      name.includes('/')
        ? `exec: "${name}": stat ${name}: no such file or directory`
        : `exec: "${name}": executable file not found in $PATH`,
    )
    .replace(/open executable: (?:Operation not permitted|Permission denied)/, 'exec: permission denied')
    .replace(ERRNO_TEXT, (text) => text.charAt(0).toLowerCase() + text.slice(1));
}
