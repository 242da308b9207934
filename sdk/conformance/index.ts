export * from './command-line';
export * from './reference-volume-driver';
export * from './run';
export * from './suite';
export * from './volume-driver';
