module.exports = 'first edition';
