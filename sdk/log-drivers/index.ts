export * from './log-attributes';
export * from './log-messages';
export * from './log-time';
export * from './option-values';
export * from './patient-writer';
export * from './tag-template';
export * from './undelivered';
