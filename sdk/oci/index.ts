export * from './default-capabilities';
export * from './default-mounts';
export * from './devices';
