export * from './contracts';
export * from './errors';
export * from './lifecycle';
export * from './plugin';
export * from './state';
export * from './streams';
export * from './version';
