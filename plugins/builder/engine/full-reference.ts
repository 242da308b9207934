/** `busybox` → `docker.io/library/busybox:latest`. */
export function fullReference(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const name = isHost ? reference : `docker.io/${rest.length === 0 ? 'library/' : ''}${reference}`;
  return /[:@][^/]*$/.test(name) ? name : `${name}:latest`;
}
