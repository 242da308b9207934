import { invalidParameter } from '@gantry/sdk';
import ipaddr from 'ipaddr.js';

export type IpVersion = 4 | 6;

/** An address as a number, so that pools can be counted in. */
export interface Address {
  readonly version: IpVersion;
  readonly value: bigint;
}

/** A block of addresses; `base` has no host bits. */
export interface Cidr {
  readonly version: IpVersion;
  readonly base: bigint;
  readonly prefixLength: number;
}

export const addressBits = (version: IpVersion): number => (version === 4 ? 32 : 128);

export function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || (text.includes(':') && ipaddr.IPv6.isValid(text));
}

/** @throws invalid-parameter */
export function parseAddress(text: string): Address {
  if (!isAddress(text)) throw invalidParameter(`invalid IP address: ${text}`);
  const bytes = ipaddr.parse(text).toByteArray();
  return { version: bytes.length === 4 ? 4 : 6, value: fromBytes(bytes) };
}

export function formatAddress(address: Address): string {
  const bytes = [...addressBytes(address)];
  return address.version === 4 ? bytes.join('.') : new ipaddr.IPv6(bytes).toString();
}

/** 4 or 16 bytes in network order. */
export function addressBytes(address: Address): Uint8Array {
  const bytes = new Uint8Array(addressBits(address.version) / 8);
  let rest = address.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** `10.1.2.3/16` as the address and its block. @throws invalid-parameter */
export function parseCidr(text: string): { readonly address: Address; readonly block: Cidr } {
  const [ip = '', length = '', ...rest] = text.split('/');
  const prefixLength = /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (rest.length > 0 || !isAddress(ip)) throw invalidParameter(`invalid CIDR address: ${text}`);
  const address = parseAddress(ip);
  if (prefixLength < 0 || prefixLength > addressBits(address.version))
    throw invalidParameter(`invalid CIDR address: ${text}`);
  return { address, block: blockOf(address, prefixLength) };
}

export function blockOf(address: Address, prefixLength: number): Cidr {
  const hostBits = BigInt(addressBits(address.version) - prefixLength);
  return { version: address.version, base: (address.value >> hostBits) << hostBits, prefixLength };
}

export function formatCidr(block: Cidr): string {
  return `${formatAddress({ version: block.version, value: block.base })}/${block.prefixLength}`;
}

export function lastOf(block: Cidr): bigint {
  return block.base + (1n << BigInt(addressBits(block.version) - block.prefixLength)) - 1n;
}

export function contains(block: Cidr, address: Address): boolean {
  return address.version === block.version && address.value >= block.base && address.value <= lastOf(block);
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.version === b.version && a.base <= lastOf(b) && b.base <= lastOf(a);
}

/** The name a reverse lookup of the address asks for, without the final dot. */
export function reverseName(address: Address): string {
  const bytes = [...addressBytes(address)];
  if (address.version === 4) return `${bytes.reverse().join('.')}.in-addr.arpa`;
  const digits = Buffer.from(bytes).toString('hex').split('').reverse();
  return `${digits.join('.')}.ip6.arpa`;
}

function fromBytes(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
