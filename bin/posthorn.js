#!/usr/bin/env node
// In a source checkout dist/ is made or renewed first; an installed package brings it along.
import { existsSync } from 'node:fs'

if (existsSync(new URL('../src', import.meta.url))) {
  const { bootstrap, reportAndExit } = await import('../scripts/bootstrap.mjs')
  try {
    bootstrap()
  } catch (error) {
    reportAndExit(error)
  }
}
await import('../dist/program/main.js')
