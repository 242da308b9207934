import ipaddr from 'ipaddr.js';

/** `10.0.0.1/24` in bytes. */
export function parsePrefix(cidr: string): { readonly address: Uint8Array; readonly prefixLength: number } {
  const [ip = '', length = ''] = cidr.split('/');
  return { address: addressBytes(ip), prefixLength: Number(length) };
}

/** 4 or 16 bytes. */
export function addressBytes(ip: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

export const plainAddress = (cidr: string): string => cidr.split('/')[0] ?? '';

export const isIPv6 = (ip: string): boolean => ip.includes(':');

/** A CIDR in canonical form. @throws Error it is none */
export function canonicalCidr(cidr: string): string {
  const [address, prefixLength] = ipaddr.parseCIDR(cidr);
  return `${address.toString()}/${prefixLength}`;
}
