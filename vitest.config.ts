import { defineConfig } from "vitest/config";

/** Two projects: quick tests beside the source, and the ones that need test hosts and the Pulumi CLI, one file at a time. */
export default defineConfig({
    test: {
        projects: [
            {
                test: {
                    name: "unit",
                    include: ["{schema,protocol,sdk,provider,agent,engines,cli,dev,examples}/**/*.test.ts", "test/wire/**/*.test.ts"],
                    testTimeout: 30_000,
                    hookTimeout: 60_000,
                    retry: process.env.CI ? 1 : 0,
                },
            },
            {
                test: {
                    name: "hosts",
                    include: ["test/{hosts,e2e,faults,agent,conformance,package}/**/*.test.ts"],
                    testTimeout: 600_000,
                    hookTimeout: 300_000,
                    fileParallelism: false,
                    // Pipelines share their machine with what this file knows nothing of; a test that needed it is reported as retried.
                    retry: process.env.CI ? 1 : 0,
                    globalSetup: "test/e2e/tear-down.ts",
                },
            },
        ],
    },
});
