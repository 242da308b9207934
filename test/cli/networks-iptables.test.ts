import { firewallSuite } from '../support/firewall-suite';

const daemon = firewallSuite('iptables');

test('docker info names what the rules are written with', async () => {
  expect((await daemon().api.get('/info')).json()).toMatchObject({ FirewallBackend: { Driver: 'iptables' } });
});
