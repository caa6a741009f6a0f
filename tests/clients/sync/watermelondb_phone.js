import { Database } from "@nozbe/watermelondb";
import LokiJSAdapter from "@nozbe/watermelondb/adapters/lokijs";
import { PROPERTIES } from "./catalogue.js";
import { TRIES, scenario } from "./phones.js";
import { Book, create, remove, schema, synchronizeBooks } from "./watermelondb.js";

// A phone's clock may stand still.
Date.now = () => 1;
let number = 0;

await scenario(async (catalogue, onConflict) => {
  const dbName = `phone${++number}`;
  const options = { schema, dbName, useWebWorker: false, useIncrementalIndexedDB: true };
  const database = new Database({ adapter: new LokiJSAdapter(options), modelClasses: [Book] });
  const find = (uid) => database.get("books").find(uid);
  return {
    create: async (properties) => (await create(database, properties)).id,
    async edit(uid, change) {
      const book = await find(uid);
      await database.write(() =>
        book.update(() => Object.entries(change).forEach((each) => book._setRaw(...each))),
      );
    },
    remove: async (uid) => remove(database, await find(uid)),
    async sync() {
      for (let tries = TRIES; ; tries--) {
        try {
          return await synchronizeBooks(database, catalogue, onConflict);
        } catch (error) {
          if (tries === 0) throw error;
        }
      }
    },
    async books() {
      const kept = await database.get("books").query().fetch();
      const properties = ({ _raw }) => Object.fromEntries(PROPERTIES.map((name) => [name, _raw[name]]));
      return new Map(kept.map((book) => [book.id, properties(book)]));
    },
  };
});
process.exit(0);
