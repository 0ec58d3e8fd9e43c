-- no parameters: ends the transaction of one migration
COMMIT
