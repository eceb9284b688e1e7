import { Redis } from "ioredis";

/** Talks to the Zdb at a URL. */
export const withClient = async <T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(url);
    try {
        return await use(client);
    } finally {
        client.disconnect();
    }
};
