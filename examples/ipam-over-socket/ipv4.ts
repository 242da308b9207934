import { isIPv4 } from 'node:net';
import { invalidParameter } from '@gantry/sdk';

/** A block of addresses as numbers; the base is without host bits. */
export interface Block {
  readonly cidr: string;
  readonly first: number;
  readonly last: number;
  readonly bits: number;
}

/** @throws invalid-parameter not of the form 10.0.0.0/8 */
export function parseBlock(cidr: string): Block {
  const [address = '', length = ''] = cidr.split('/');
  const bits = Number(length);
  if (!/^\d{1,2}$/.test(length) || bits > 32) throw invalidParameter(`invalid pool: ${cidr}`);
  const size = 2 ** (32 - bits);
  const first = Math.floor(numberOf(address) / size) * size;
  return { cidr: `${textOf(first)}/${bits}`, first, last: first + size - 1, bits };
}

/** @throws invalid-parameter not an IPv4 address */
export function numberOf(address: string): number {
  if (!isIPv4(address)) throw invalidParameter(`invalid address: ${address}`);
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function textOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
