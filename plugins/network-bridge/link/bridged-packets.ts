import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const settings = ['iptables', 'ip6tables'].map((family) => `/proc/sys/net/bridge/bridge-nf-call-${family}`);

/** Whether the packet filter sees what passes from one port of a bridge to another. */
export function bridgedPacketsAreFiltered(): boolean {
  try {
    return settings.every((path) => readFileSync(path, 'utf8').trim() === '1');
  } catch {
    return false;
  }
}

/**
 * Has the packet filter see what passes between the ports of a bridge, as links between containers that are kept apart
 * need it. Where the kernel cannot, nothing happens: ports are cut off from each other instead.
 */
export async function filterBridgedPackets(): Promise<void> {
  if (bridgedPacketsAreFiltered()) return;
  try {
    await new Promise((done) => execFile('modprobe', ['br_netfilter'], { timeout: 10_000 }, done));
    for (const path of settings) writeFileSync(path, '1');
  } catch {
    // No such module.
  }
}
