export * from './progress';
export * from './progress-reply';
export * from './stdcopy';
export * from './write';
