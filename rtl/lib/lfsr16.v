// lfsr16: pseudo-random words from a 16-bit linear feedback shift register, and a count of them.
//
// The polynomial x^16 + x^14 + x^13 + x^11 + 1 is primitive: the register runs through all 65,535
// words but 0 before one returns.
//
//   enable  1: the next word at the rising edge
//   word    the present word, SEED after reset
//   count   words since reset, modulo 2**16

`default_nettype none

module lfsr16 #(
    parameter [15:0] SEED = 16'hACE1  // anything but 0
) (
    input  wire        clk,
    input  wire        rst,   // synchronous, active high
    input  wire        enable,
    output reg  [15:0] word,
    output reg  [15:0] count
);

    wire feedback = word[0] ^ word[2] ^ word[3] ^ word[5];

    always @(posedge clk) begin
        if (rst) begin
            word  <= SEED;
            count <= 16'd0;
        end else if (enable) begin
            word  <= {feedback, word[15:1]};
            count <= count + 16'd1;
        end
    end

endmodule

`default_nettype wire
