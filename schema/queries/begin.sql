-- no parameters: opens the transaction of one migration
BEGIN
