export * from './capability';
export * from './config-schema';
export * from './define-plugin';
export * from './reconfigure';
