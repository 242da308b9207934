export * from './datagram-sink';
export * from './http-request';
export * from './log-sink';
export * from './message-writer';
export * from './open-log-sink';
export * from './posting-writer';
export * from './stream-sink';
