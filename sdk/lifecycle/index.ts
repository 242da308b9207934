export * from './assert-never';
export * from './cleanup-stack';
export * from './clock';
export * from './deadline';
export * from './exact-time';
export * from './keyed-lock';
export * from './wait-at-most';
