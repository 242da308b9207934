/**
 * The rules of the Docker plugin protocol that plugins can keep or break, each in a sentence: what a report says when
 * one is broken. Ids are those used throughout this package.
 */
export const protocolRules = {
  'P-CALL-1': 'Every call is a POST of HTTP/1.1 to "/" and the method\'s name.',
  'P-CALL-2': 'Engines send an Accept header of some version and no Content-Type; a plugin insists on neither.',
  'P-CALL-3': 'The Host header is a placeholder that differs between engines; it means nothing.',
  'P-CALL-4': 'A request carries one JSON object or nothing at all; an answer is one whole JSON object.',
  'P-CALL-5': 'Every request gets an HTTP answer; a connection that breaks is asked again and then given up.',
  'P-CALL-6': 'Engines wait a limited time, so every call must be answered soon.',
  'P-CALL-7': 'Success is status 200 and no other: 201 and 204 count as failures.',
  'P-CALL-8':
    'An error is a text in "Err" ("Error" for IPAM drivers) of an answer with status 200, or the body of an answer with an error status.',
  'P-CALL-9': 'A method that a plugin does not have is answered with status 404.',
  'P-ACT-1': '/Plugin.Activate takes an empty body and answers {"Implements": ["VolumeDriver", …]}.',
  'P-ACT-2':
    'Kinds are compared letter by letter: VolumeDriver, NetworkDriver, IpamDriver, LogDriver, MetricsCollector, authz, secretprovider.',
  'P-ACT-3': 'A plugin names the kinds it implements, and implements every kind it names.',
  'P-VOL-1': 'Engines ask Get before Create: an absent volume is an error or null, never an empty object.',
  'P-VOL-2': 'List and Get know every volume from its creation to its removal: names are looked up by asking.',
  'P-VOL-3': 'A volume is mounted once for each id, and provided until the last id has been unmounted.',
  'P-VOL-5': 'Mountpoint is an absolute path.',
  'P-VOL-6': 'Path tells the same mount point as Mount.',
  'P-VOL-7': 'Scope is "local" or "global".',
  'P-VOL-8': 'CreatedAt is a time of RFC 3339, Status a free map.',
  'P-NET-1': 'Scope, and ConnectivityScope when it is there, are exactly "local" or "global".',
  'P-NET-2': 'IPv4Data and IPv6Data are arrays of pools, or null; what is unset in a pool is absent.',
  'P-NET-3': 'Options carries the user\'s options under "com.docker.network.generic" beside keys of the engine.',
  'P-NET-4': 'Drivers of global scope answer AllocateNetwork with a map of options.',
  'P-NET-5': 'A driver that says GwAllocChecker answers GwAllocCheck with two booleans.',
  'P-NET-6':
    'CreateEndpoint answers only what came empty: addresses in CIDR, the MAC with colons. What was made can be deleted and made again.',
  'P-NET-7':
    'Join answers an interface to move and how to name it, gateways as plain addresses, and routes that are either via a next hop or on the link.',
  'P-NET-9': 'Endpoint options carry ports, DNS servers and a MAC in base64 beside whatever else the engine knows.',
  'P-NET-11': 'News of nodes is taken or not implemented.',
  'P-IPAM-1': 'A pool that is asked for is given; so is an address, be it for a gateway or an endpoint.',
  'P-IPAM-2': 'The same request gives the same PoolID, counted; a SubPool needs a Pool.',
  'P-IPAM-3': 'A pool may be left to the driver, and address spaces have names.',
  'P-IPAM-4': 'An address is given once, in CIDR with the length of its pool, never empty.',
  'P-IPAM-5': 'RequestAddress may carry a MAC and other options of the engine.',
  'P-IPAM-7': 'GetCapabilities answers booleans.',
  'P-AZ-1': 'Bodies are shown as base64, and only when they are JSON; often there is none.',
  'P-AZ-2': 'Bodies of up to 4 MiB are shown whole.',
  'P-AZ-3': 'ResponseBody is what had not been sent yet, and may be absent.',
  'P-AZ-4': 'A body is whatever a client sent; junk gets a verdict too.',
  'P-AZ-5': 'Verdicts do not depend on what else is asked at the same time.',
  'P-AZ-6': '"Allow" is true or false; a refusal says why in "Msg"; anything else fails the request.',
  'P-AZ-7': 'Every route is asked about, without a user when the client is not known.',
  'P-AZ-8': 'AuthZRes is called for failed requests too, without a status.',
  'P-AZ-9': 'Requests that upgrade their connection are asked about like any other.',
  'P-LOG-1': 'Of Info only ContainerID is sure to be set.',
  'P-LOG-2': 'Every start of a container has a FIFO of its own.',
  'P-LOG-3': 'StartLogging opens the FIFO, StopLogging ends it.',
  'P-LOG-4': 'What is in the FIFO is read before StopLogging is answered: there is no end of file before.',
  'P-LOG-5': 'StartLogging may be said again for a FIFO that is being read.',
  'P-LOG-6': 'Entries are protobuf behind four bytes of length, big-endian, cut anywhere by the pipe.',
  'P-LOG-7': 'Lines above 16 KiB come in pieces that say which piece they are.',
  'P-LOG-8':
    'ReadLogs gives entries with their newline, the last Tail of them, and stays open to follow while the container runs.',
  'P-LOG-9': 'Capabilities answers {"Cap": {"ReadLogs": true}}; at top level ReadLogs is not seen.',
  'P-LOG-10': 'A container does not start when StartLogging fails, so it fails when it cannot work.',
  'P-MET-1': 'The metrics are read from the daemon with GET /metrics.',
  'P-MET-2': 'StartMetrics and StopMetrics have empty bodies; of the answer only the status counts.',
  'P-SEC-1': 'GetSecret answers the value in base64; fields that are empty are not sent.',
  'P-SEC-2': 'DoNotReuse is a boolean.',
} as const satisfies Record<`P-${string}`, string>;

/** Id of a rule, such as `P-VOL-3`. */
export type RuleId = keyof typeof protocolRules;
