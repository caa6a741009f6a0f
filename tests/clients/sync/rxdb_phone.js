import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { NEVER, concatWith, firstValueFrom, skip } from "rxjs";
import { PROPERTIES } from "./catalogue.js";
import { TRIES, scenario } from "./phones.js";
import { bookSchema, conflictHandler, replicateBooks } from "./rxdb.js";

let number = 0;

await scenario(async (catalogue, onConflict) => {
  const database = await createRxDatabase({ name: `phone${++number}`, storage: getRxStorageMemory() });
  const { books } = await database.addCollections({
    books: { schema: bookSchema, conflictHandler: conflictHandler(onConflict) },
  });
  const find = (uid) => books.findOne(uid).exec();
  return {
    async create(properties) {
      const uid = crypto.randomUUID();
      await books.insert({ uid, ...properties });
      return uid;
    },
    edit: async (uid, change) => (await find(uid)).incrementalPatch(change),
    remove: async (uid) => (await find(uid)).remove(),
    // Online for a moment.
    async sync() {
      const replication = replicateBooks(books, catalogue, onConflict, { live: false, retryTime: 10 });
      // It would try again for ever.
      const failed = firstValueFrom(replication.error$.pipe(skip(TRIES), concatWith(NEVER)));
      try {
        const error = await Promise.race([replication.awaitInitialReplication(), failed]);
        if (error) throw error;
      } finally {
        await replication.cancel();
      }
    },
    async books() {
      const kept = await books.find().exec();
      const properties = (book) => Object.fromEntries(PROPERTIES.map((name) => [name, book[name]]));
      return new Map(kept.map((book) => [book.uid, properties(book)]));
    },
  };
});
process.exit(0);
