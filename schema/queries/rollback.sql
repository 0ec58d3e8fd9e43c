-- no parameters: drops the transaction of one migration
ROLLBACK
