import { closeSync } from 'node:fs';
import { libc } from './libc';
import { openSocket, socketConstants } from './sockets';

const getsockoptCall = libc.func(
  'int getsockopt(int fd, int level, int name, _Inout_ uint8_t *value, _Inout_ uint32_t *length)',
);
const IPPROTO_RAW = 255;
const GET_INFO = 64;
const levels = { ipv4: 0, ipv6: 41 } as const;

/**
 * Number of entries and bytes of a table of the old iptables, as `entries/bytes`; undefined when the kernel has none.
 * Asking loads the kernel's module for the table.
 *
 * @see the kernel's include/uapi/linux/netfilter_ipv4/ip_tables.h, IPT_SO_GET_INFO
 */
export function xtablesSize(family: 'ipv4' | 'ipv6', table: string): string | undefined {
  const { AF_INET, AF_INET6, SOCK_RAW } = socketConstants;
  const fd = openSocket(family === 'ipv4' ? AF_INET : AF_INET6, SOCK_RAW, IPPROTO_RAW);
  try {
    // Name, hooks, five entries, five underflows, number of entries, size.
    const info = Buffer.alloc(84);
    info.write(table, 0, 31, 'latin1');
    if (getsockoptCall(fd, levels[family], GET_INFO, info, [info.length]) !== 0) return undefined;
    return `${info.readUInt32LE(76)}/${info.readUInt32LE(80)}`;
  } finally {
    closeSync(fd);
  }
}
