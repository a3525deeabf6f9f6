"""Are the labels right? A blinded sample of charts, the workbook to judge them in, and the score of the answers."""
