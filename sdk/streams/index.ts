export * from './progress';
export * from './stdcopy';
export * from './write';
