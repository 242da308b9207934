/** A test by its file and the beginning of its name. */
type Shown = readonly [file: string, test: string];

const remote = 'core/kernel/test/remote-plugins.test.ts';
const bad = 'core/kernel/test/bad-plugins.test.ts';
const client = 'sdk/client/test/plugin-client.test.ts';
const kinds = 'sdk/serve/test/driver-kinds.test.ts';
const logs = 'sdk/serve/test/log-driver.test.ts';
const golden = 'sdk/serve/test/transcripts.test.ts';
const entries = 'sdk/wire/test/log-entry.test.ts';
const authz = 'test/api/authorization.test.ts';
const volumes = 'plugins/volumes/test';
const ends = 'test/conformance';
const foreign = 'plugins/networks/test/foreign-drivers.test.ts';
const suites = 'sdk/conformance/test/suites.test.ts';
const managed = 'test/cli/managed-plugins.test.ts';
const manager = 'plugins/plugin-manager/test';

/** Every rule of the Docker plugin protocol that the engine keeps, with the tests that show it. */
export const shownRules: Readonly<Record<string, readonly Shown[]>> = {
  'P-DISC-1': [[remote, 'a driver on a socket is found by name']],
  'P-DISC-2': [[remote, 'a plugin in a folder of its own name is found']],
  'P-DISC-3': [[remote, 'a plugin in a folder of its own name is found']],
  'P-DISC-4': [[remote, 'a plugin in a folder of its own name is found']],
  'P-DISC-5': [[remote, 'https that nobody verifies is refused']],
  'P-DISC-7': [[remote, 'every socket and file of the directories is looked at']],
  'P-DISC-8': [[remote, 'a failed activation is forgotten']],
  'P-CALL-1': [[client, 'a call is a POST with a JSON body']],
  'P-CALL-2': [
    [client, 'a call is a POST with a JSON body'],
    [golden, 'is what the engine sends'],
  ],
  'P-CALL-3': [[suites, 'a plugin that breaks %s turns that case red']],
  'P-CALL-4': [[client, 'the handshake sends an empty body']],
  'P-CALL-5': [
    [client, 'a missing socket is tried again after 1, 2, 4 and 8 seconds'],
    [client, 'a call that a broken connection may have delivered'],
    [client, 'an HTTP answer is never tried again'],
  ],
  'P-CALL-6': [
    [client, 'a plugin that never answers is given up at the deadline'],
    ['core/kernel/test/supervisor.test.ts', 'who hangs costs those who wait for it'],
  ],
  'P-CALL-7': [[bad, 'a plugin that answers %s costs that call']],
  'P-CALL-8': [
    [kinds, 'an IPAM driver behind a socket keeps answers'],
    [golden, 'is what a plugin made with serve answers'],
  ],
  'P-CALL-9': [[kinds, 'a network driver without external connectivity']],
  'P-ACT-1': [[client, 'the handshake sends an empty body']],
  'P-ACT-2': [[bad, 'a plugin that %s is no network driver']],
  'P-ACT-3': [[remote, 'a plugin of another kind does not implement']],
  'P-VOL-1': [[client, 'a volume driver that answers Get with any error']],
  'P-VOL-2': [[volumes, 'records survive a restart, and a volume only a driver knows']],
  'P-VOL-3': [[ends, 'a mounted volume outlives the daemon']],
  'P-VOL-4': [[volumes, 'image content is copied into an empty volume']],
  'P-VOL-7': [[client, 'a scope is asked again until the plugin tells it']],
  'P-VOL-9': [[ends, 'one program may take over the socket of another']],
  'P-VOL-10': [[volumes, 'a dead driver gives a warning in the list']],
  'P-NET-1': [[kinds, 'a network driver with an unknown scope is refused']],
  'P-NET-2': [[kinds, 'the requests of a network driver are on the wire']],
  'P-NET-3': [[kinds, 'the requests of a network driver are on the wire']],
  'P-NET-4': [[kinds, 'a network driver behind a socket is told and tells']],
  'P-NET-6': [[kinds, 'a network driver that changes an address it was given']],
  'P-NET-7': [[kinds, 'a network driver behind a socket is told and tells']],
  'P-NET-9': [[kinds, 'the requests of a network driver are on the wire']],
  'P-NET-11': [[kinds, 'a network driver behind a socket is told and tells']],
  'P-IPAM-3': [[foreign, 'a pool that overlaps a route of the host']],
  'P-IPAM-4': [[kinds, 'an IPAM driver without capabilities has none']],
  'P-IPAM-7': [[kinds, 'an IPAM driver without capabilities has none']],
  'P-AZ-1': [[authz, 'passwords are not shown']],
  'P-AZ-2': [[authz, 'what is too large is refused with 500']],
  'P-AZ-3': [[authz, 'streams and hijacked connections are asked about']],
  'P-AZ-4': [[authz, 'what is too large is refused with 500']],
  'P-AZ-5': [[authz, 'the first refusal counts']],
  'P-AZ-6': [[authz, 'the first refusal counts']],
  'P-AZ-8': [[authz, 'an answer can be withheld; an error cannot']],
  'P-AZ-9': [[authz, 'streams and hijacked connections are asked about']],
  'P-AZ-12': [[authz, 'with a reload, and a failed one changes nothing']],
  'P-AZ-14': [[authz, 'one that is gone refuses everything until it is back']],
  'P-LOG-3': [[logs, 'what a container prints reaches a served driver']],
  'P-LOG-4': [[logs, 'a slow driver holds the container back']],
  'P-LOG-5': [[ends, 'a plugin that was killed and comes back goes on with the log']],
  'P-LOG-6': [[entries, 'entries are read back from bytes that arrive one at a time']],
  'P-LOG-7': [[ends, 'docker logs -f follows until the container ends, and a line longer']],
  'P-LOG-8': [[ends, 'docker logs -f follows until the container ends']],
  'P-LOG-9': [[ends, 'a plugin that cannot read back takes the log']],
  'P-LOG-10': [[ends, 'an option the plugin refuses keeps the container from starting']],
  'P-ACT-4': [[client, 'network and address drivers say once what they can do']],
  'P-AZ-10': [[authz, 'every route is asked about']],
  'P-AZ-11': [['test/api/bypass.test.ts', 'a plugin that is to judge requests and is not there keeps']],
  'P-AZ-13': [[managed, 'an authorization plugin judges while it is enabled, and leaves the chain']],
  'P-IPAM-6': [[ends, 'an address driver that keeps no books is told them']],
  'P-NET-8': [[ends, 'for a sandbox that is there']],
  'P-NET-10': [[ends, 'ports are programmed through the network that is the way out']],
  'P-KIND-1': [[managed, 'a plugin is created, enabled, used for volumes and logs']],
  'P-MAN-1': [[manager, 'settings begin as the author wishes, and change where they may']],
  'P-MAN-2': [[manager, 'settings begin as the author wishes']],
  'P-PRIV-1': [[manager, 'privileges are asked for by name']],
  'P-PRIV-2': [[manager, 'every granted privilege counts, the first of the sorted ones too']],
  'P-PROP-1': [[managed, 'a plugin is created, enabled, used for volumes']],
  'P-PROP-2': [[manager, 'links of a plugin lead where they lead for the plugin']],
  'P-REG-1': [[managed, 'plugins go to a registry and come back']],
  'P-RUN-1': [[managed, 'a plugin is created, enabled, used for volumes']],
  'P-RUN-2': [[manager, 'what a plugin prints becomes lines of the log']],
  'P-RUN-4': [[manager, 'a plugin that ends at once is started later and later']],
  'P-RUN-5': [[managed, 'an enabled plugin outlives a killed daemon, comes back when it ends, and ends with']],
  'P-RUN-6': [[managed, 'an enabled plugin outlives a killed daemon']],
  'P-RUN-7': [[managed, 'a plugin is created, enabled, used for volumes']],
};

/** How many rules each part of the protocol has; they are numbered from 1. */
export const ruleCounts = {
  ...{ KIND: 2, DISC: 8, CALL: 9, ACT: 4, VOL: 10, NET: 11, IPAM: 7, AZ: 14, LOG: 10, MAN: 2, PRIV: 2 },
  ...{ RUN: 7, PROP: 2, REG: 2, MET: 2, SEC: 2, CSI: 1 },
} as const;

/** Rules that no test shows, and why. */
export const notShown: Readonly<Record<string, string>> = {
  'P-CSI-1': 'plugins of cluster volumes are not served',
  'P-DISC-6': 'the directories of a daemon without root are settings',
  'P-KIND-2': 'nothing is done: plugins of others are neither started nor stopped',
  'P-REG-2': 'the registries of the tests give no tokens for plugins',
  'P-RUN-3': 'its waits are longer than a test should take',
};
