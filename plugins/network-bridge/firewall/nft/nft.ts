import { runProgram } from '../run-program';

const nft = {
  name: 'nft',
  otherwise:
    'install the package nftables, or set "iptables" and "ip6tables" to false in daemon.json and look after the rules yourself',
};

/** Runs a script of nft commands as one transaction. @throws system with nft's own words */
export async function runNft(script: string): Promise<void> {
  await runProgram(nft, ['-f', '-'], script);
}
