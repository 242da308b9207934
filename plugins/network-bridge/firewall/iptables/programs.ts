import { runProgram } from '../run-program';

const otherwise = 'install the package iptables, or nftables and take "firewall-backend" out of daemon.json';

/** Runs a program of iptables. @returns what it says @throws system with its own words, or that it is not installed */
export function runXtables(name: string, args: readonly string[], input = ''): Promise<string> {
  return runProgram({ name, otherwise }, args, input);
}
